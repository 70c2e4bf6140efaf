/** The route that serves a request, told so that no other can be taken for it. */
import { type ExecutionContext, type VersioningOptions, VersioningType } from '@nestjs/common'
import { HOST_METADATA, VERSION_METADATA } from '@nestjs/common/constants.js'
import { Reflector } from '@nestjs/core'

const reflector = new Reflector()

/**
 * Method and path are not all by which Nest tells routes apart: controllers may be for a host, and versions may be told by
 * a header.
 *
 * @param pattern the path's pattern, prefixes and a version in it included
 */
export function routeOf(context: ExecutionContext, pattern: string, versioning: VersioningOptions | undefined): string {
  const controller = context.getClass()
  const host = reflector.get<unknown>(HOST_METADATA, controller)
  const version = reflector.getAllAndOverride<unknown>(VERSION_METADATA, [context.getHandler(), controller])
  const isInPath = !versioning || versioning.type === VersioningType.URI
  const versions = isInPath ? [] : [version ?? versioning.defaultVersion ?? []].flat()
  return [host === undefined ? [] : `//${textOf(host)}`, pattern, versions.length > 0 ? ` v${textOf(versions)}` : []]
    .flat()
    .join('')
}

function textOf(values: unknown): string {
  return [values].flat().map(String).join('|')
}
