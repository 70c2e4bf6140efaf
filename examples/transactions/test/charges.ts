/** The charges are in this file of the place, at a provider that no transaction reaches. */
export const CHARGES = 'charges.ndjson'
