/** Finds the files of a multipart body where parsers put them: multer, koa-body, express-fileupload, @fastify/multipart. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import type { UploadedFile } from '../../../protocol/exchange.ts'

/** A file by the members that parsers give it: each has a name, a type, and its content in memory or on disk. */
interface ParsedFile {
  readonly fieldname?: unknown
  readonly originalname?: unknown
  readonly originalFilename?: unknown
  readonly filename?: unknown
  readonly name?: unknown
  readonly mimetype?: unknown
  readonly path?: unknown
  readonly filepath?: unknown
  readonly tempFilePath?: unknown
  readonly buffer?: unknown
  readonly data?: unknown
  readonly _buf?: unknown
}

/**
 * The files of a request; undefined where no parser left any, which does not say that there were none.
 *
 * @param found what parsers left in the usual places: a file, a list of files, or files by the names of their fields
 */
export function uploadedFiles(...found: readonly unknown[]): readonly UploadedFile[] | undefined {
  const left = found.filter((each) => typeof each === 'object' && each !== null)
  return left.length === 0 ? undefined : left.flatMap((each) => filesIn(each, undefined))
}

/** True for what has a media type; lists and records of files have none. */
function isFile(value: object): value is ParsedFile {
  return 'mimetype' in value
}

function filesIn(value: unknown, field: string | undefined): UploadedFile[] {
  if (typeof value !== 'object' || value === null) return []
  if (isFile(value)) return [toUploaded(value, field)]
  if (Array.isArray(value)) return value.flatMap((each) => filesIn(each, field))
  return Object.entries(value).flatMap(([name, each]) => filesIn(each, field ?? name))
}

function toUploaded(file: ParsedFile, key: string | undefined): UploadedFile {
  const field = firstText(file.fieldname, key)
  const name = firstText(file.originalname, file.originalFilename, file.filename, file.name)
  return { field, name, type: firstText(file.mimetype), digest: () => digestOf(file, field) }
}

function firstText(...values: readonly unknown[]): string {
  return values.find((value): value is string => typeof value === 'string') ?? ''
}

async function digestOf(file: ParsedFile, field: string): Promise<string> {
  const hash = createHash('sha256')
  const path = firstText(file.tempFilePath, file.filepath, file.path)
  const bytes = [file.buffer, file.data, file._buf].find((each) => each instanceof Uint8Array)
  if (path) await pipeline(createReadStream(path), hash)
  else if (bytes) return hash.update(bytes).digest('hex')
  else {
    throw new IdempotencyInvalidOptionError(
      'fingerprint',
      `picks the file '${field}', whose parser leaves its content neither in memory nor on disk: let idempotent() come before that parser, or name what counts, fingerprint: (request) => …`,
    )
  }
  return hash.digest('hex')
}
