import { type RouteConfig, route } from '@react-router/dev/routes'

export default [route('charges', './routes/charges.ts')] satisfies RouteConfig
