/** A GraphQL endpoint: each mutation field runs once, however often its document is sent, alone or in a batch. */
import type { Idempotency } from '@retryproof/core'
import type { GraphQLResolveInfo } from 'graphql'
import { createGraphQLError, createSchema, createYoga } from 'graphql-yoga'

interface Context {
  readonly request: Request
}

interface ChargeArguments {
  readonly amount: number
}

/** @param charge the effect, given the key for the payment provider */
export function createGraphql(
  idempotency: Idempotency,
  charge: (amount: number, providerKey: string) => Promise<string>,
) {
  /** The guard of one field: the query beside it is answered anew, and another field of the document has another key. */
  async function once(
    { request }: Context,
    info: GraphQLResolveInfo,
    payload: object,
    work: (providerKey: string) => Promise<string>,
  ): Promise<string> {
    const [user, key] = [request.headers.get('x-user'), request.headers.get('idempotency-key')]
    if (!user) throw createGraphQLError('Log in first.', { extensions: { code: 'UNAUTHENTICATED' } })
    if (!key) throw createGraphQLError('Send an Idempotency-Key.', { extensions: { code: 'IDEMPOTENCY_KEY_MISSING' } })
    const call = {
      operation: `${info.parentType.name}.${info.fieldName}`,
      scope: user,
      // the alias tells two fields of one document apart
      key: `${key}/${info.path.key}`,
      payload,
    }
    const outcome = await idempotency.run(call, ({ keyFor }) => work(keyFor('work')))
    return outcome.value
  }

  return createYoga<Context>({
    batching: false,
    logging: false,
    schema: createSchema<Context>({
      typeDefs: 'type Query { version: Int } type Mutation { charge(amount: Int!): String }',
      resolvers: {
        Query: { version: () => 1 },
        Mutation: {
          charge: (_root: unknown, sent: ChargeArguments, context: Context, info: GraphQLResolveInfo) =>
            once(context, info, sent, (providerKey) => charge(sent.amount, providerKey)),
        },
      },
    }),
  })
}
