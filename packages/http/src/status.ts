export { type StatusResourceOptions, statusResource } from './resources/status-resource.ts'
