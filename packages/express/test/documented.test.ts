/** No method of Express's response is missing in the table of the differential suite. */
import express, { type NextFunction, type Request, type Response } from 'express'
import express4 from 'express4'
import { expect, it } from 'vitest'
import { gapsOf, touchedMembers, watched } from '../../../conformance/src/http/differential/touched-members.ts'
import { expressApplication } from './differential/applications.ts'
import { endingsFor } from './differential/endings.ts'

const answeredBy = (major: 4 | 5) => endingsFor(major).filter(({ end }) => end === 'answered')

it.each([
  ['5', express, answeredBy(5)],
  ['4', express4, answeredBy(4)],
] as const)(
  'each method of the response of Express %s is called by a handler of the table',
  async (name, framework, endings) => {
    const touched = await touchedMembers<[Request, Response, NextFunction]>(
      endings,
      (names, [req, res, next]) => [req, watched(res, names), next],
      (given) => expressApplication(name, framework, given),
    )
    expect(gapsOf(Object.keys(framework.response), touched, {})).toEqual([])
  },
)
