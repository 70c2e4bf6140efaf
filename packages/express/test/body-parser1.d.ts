declare module 'body-parser1' {
  export { default } from 'body-parser'
}
