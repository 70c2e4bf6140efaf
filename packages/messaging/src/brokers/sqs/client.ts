/** Types of what is used of `SQS` of `@aws-sdk/client-sqs`. */

export interface SqsMessage {
  readonly MessageId?: string | undefined
  readonly ReceiptHandle?: string | undefined
  readonly Body?: string | undefined
  readonly Attributes?: { readonly [name: string]: string | undefined } | undefined
  readonly MessageAttributes?: { readonly [name: string]: SqsAttribute } | undefined
}

export interface SqsAttribute {
  DataType: string | undefined
  StringValue?: string | undefined
  BinaryValue?: Uint8Array | undefined
}

export interface SqsClient {
  receiveMessage(
    input: {
      QueueUrl: string
      MaxNumberOfMessages: number
      WaitTimeSeconds: number
      MessageAttributeNames: string[]
      MessageSystemAttributeNames: ('ApproximateReceiveCount' | 'MessageGroupId')[]
    },
    options: { abortSignal: AbortSignal },
  ): Promise<{ readonly Messages?: readonly SqsMessage[] | undefined }>
  deleteMessage(input: { QueueUrl: string; ReceiptHandle: string }): Promise<unknown>
  changeMessageVisibility(input: SqsVisibility): Promise<unknown>
  sendMessage(input: SqsSending): Promise<unknown>
  getQueueAttributes(input: {
    QueueUrl: string
    AttributeNames: ('RedrivePolicy' | 'VisibilityTimeout' | 'MessageRetentionPeriod')[]
  }): Promise<{ readonly Attributes?: { readonly [name: string]: string | undefined } | undefined }>
}

export interface SqsVisibility {
  QueueUrl: string
  ReceiptHandle: string
  VisibilityTimeout: number
}

export interface SqsSending {
  QueueUrl: string
  MessageBody: string
  MessageAttributes: Record<string, SqsAttribute>
  MessageGroupId?: string
  MessageDeduplicationId?: string
}
