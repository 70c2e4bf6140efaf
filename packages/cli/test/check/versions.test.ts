import { expect, test } from 'vitest'
import { checkVersion } from '../../src/checks/finding.ts'

test.each([
  ['11.22', '13', false],
  ['12.22', '13', false],
  ['13.0', '13', true],
  ['15.18 (Debian 15.18-0+deb12u1)', '13', true],
  ['18beta1', '13', true],
  ['5.7.44-log', '8.0', false],
  ['8.0.45', '8.0', true],
  ['10.4.34-MariaDB', '10.5', false],
  ['10.11.19-MariaDB-0+deb12u1', '10.5', true],
  ['11.4.2-MariaDB', '10.5', true],
  ['6.2.14', '7.0', false],
  ['7.0.15', '7.0', true],
])('version %s, where %s is needed: %s', (version, oldest, isEnough) => {
  expect(checkVersion('Server', version, oldest)).toHaveLength(isEnough ? 0 : 1)
})
