export type { Answer, BindingApp, Body, Failure, PlainAnswer, Redirect, Route, RouteRequest } from './http/app.ts'
export { type BindingAppOptions, bindingApp } from './http/binding-app.ts'
