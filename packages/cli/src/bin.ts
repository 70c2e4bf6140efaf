#!/usr/bin/env node
import { processIo } from './process-io.ts'
import { runCli } from './run-cli.ts'

const args = process.argv.slice(2)
// the address of a store may hold a password, which the list of processes would show
process.title = 'retryproof'
process.exitCode = await runCli(args, processIo())
// a configuration may leave connections open, which would keep the process for ever
setTimeout(() => process.exit(), 500).unref()
