/** Kills the own process at a point that is told by counting, so that every point has its turn. */
import { Socket } from 'node:net'

/**
 * Ends this process (SIGKILL) when it is about to send for the `point`-th time from now on, or has just received:
 * between two of these moments nothing happens that others could see.
 */
export function killAt(point: number): void {
  let seen = 0
  const pass = () => {
    seen++
    if (seen === point) process.kill(process.pid, 'SIGKILL')
  }
  const { write, push } = Socket.prototype
  Socket.prototype.write = function (this: Socket, ...args: Parameters<typeof write>) {
    pass()
    return write.apply(this, args)
  } as typeof write
  Socket.prototype.push = function (this: Socket, ...args: Parameters<typeof push>) {
    pass()
    return push.apply(this, args)
  }
}
