import { createElement } from 'react'
import { Outlet } from 'react-router'

export default function Root() {
  return createElement('html', { lang: 'en' }, createElement('body', null, createElement(Outlet)))
}
