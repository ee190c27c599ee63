import { DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const failure = ({ name, message, $metadata }: Error & { $metadata: { httpStatusCode?: number } }) => ({ name, message, status: $metadata.httpStatusCode });

export const handler = async (event: { queryStringParameters: { base: string } }) => {
  const credentials = { accessKeyId: "AKID", secretAccessKey: "secret" };
  const options = { region: "eu-west-1", endpoint: event.queryStringParameters.base, credentials, maxAttempts: 1 };
  const dynamo = new DynamoDBClient(options);
  const s3 = new S3Client({ ...options, forcePathStyle: true });
  const file = { Bucket: "b", Key: "k \u00fc.txt" };
  await dynamo.send(new PutItemCommand({ TableName: "t", Item: { id: { S: "1" }, bytes: { B: new Uint8Array([1, 2]) } } }));
  const { Item } = await dynamo.send(new GetItemCommand({ TableName: "t", Key: { id: { S: "1" } } }));
  const missing = await dynamo.send(new QueryCommand({ TableName: "missing" })).catch(failure);
  const { ETag } = await s3.send(new PutObjectCommand({ ...file, Body: "content", ContentType: "text/plain" }));
  const { Body, ContentType, Metadata } = await s3.send(new GetObjectCommand(file));
  const none = await s3.send(new GetObjectCommand({ Bucket: "b", Key: "none" })).catch(failure);
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: "b" }));
  return { Item, missing, ETag, Body: await Body?.transformToString(), ContentType, Metadata, none, Contents };
};
