/** The CPU time that a server has used, by what Linux says of its processes. */
import { readFile } from 'node:fs/promises'

const TICKS_A_SECOND = 100
/** Places of utime and stime behind the name of the program, which may have blanks. */
const [UTIME, STIME] = [11, 12]

/** Sums the processor time of a process and its descendants, in seconds; 0 where the system does not say. */
export async function cpuSeconds(pid: number): Promise<number> {
  const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
  const stat = await read('stat')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const own = (Number(fields[UTIME] ?? 0) + Number(fields[STIME] ?? 0)) / TICKS_A_SECOND
  const children = (await read(`task/${pid}/children`)).split(' ').filter(Boolean)
  const theirs = await Promise.all(children.map((child) => cpuSeconds(Number(child))))
  return theirs.reduce((sum, seconds) => sum + seconds, own)
}
