/** One tab at a time. */

/**
 * Runs `work` while no other tab of this origin runs any under the same name: by a Web Lock, else in a transaction of
 * IndexedDB, which is as exclusive as long as `work` does not wait. Without either there are no tabs.
 */
export async function exclusively<T>(name: string, work: () => T): Promise<T> {
  const { navigator, indexedDB } = globalThis
  if (navigator?.locks) return navigator.locks.request(name, async () => work())
  return indexedDB ? inTransaction(indexedDB, work) : work()
}

const DATABASE = 'retryproof-lock'
const STORE = 'lock'

function inTransaction<T>(indexedDB: IDBFactory, work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1)
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const database = opening.result
      const transaction = database.transaction(STORE, 'readwrite')
      // its turn comes with the first answer
      transaction.objectStore(STORE).get('').onsuccess = () => {
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      }
      transaction.onerror = () => reject(transaction.error)
      transaction.oncomplete = () => database.close()
    }
  })
}
