/**
 * Imported before the suite. Where messages are removed during a scan of a bucket, NATS says only with its next heartbeat,
 * after some 5 s, that it was the last one: concurrent histories with purges take that long each.
 */
process.env.FC_HISTORIES ??= '12'
