/** Longer than any handler; with preStop shorter than `terminationGracePeriodSeconds` of kubernetes.yaml. */
export const DRAIN_TIMEOUT_MS = 20_000
