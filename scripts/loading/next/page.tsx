// A server component, which renders a component of the client.
import { Pay } from './pay'

export default function Page() {
  return <Pay cart="cart-7" />
}
