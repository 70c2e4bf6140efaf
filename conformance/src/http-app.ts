export type { Answer, BindingApp, Body, Failure, PlainAnswer, Redirect, Route, RouteRequest } from './http/app/app.ts'
export { type BindingAppOptions, bindingApp } from './http/app/binding-app.ts'
