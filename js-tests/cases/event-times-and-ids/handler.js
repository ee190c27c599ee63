export const handler = async ({ requestContext: { time, timeEpoch, requestId } }, context) => ({
  clf: /^\d{2}\/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\/\d{4}:\d{2}:\d{2}:\d{2} \+0000$/.test(time),
  milliseconds: Number.isInteger(timeEpoch) && Math.abs(Date.now() - timeEpoch) < 60_000,
  sameInstant: Date.parse(time.replace(/^(\d+)\/(\w+)\/(\d+):/, "$1 $2 $3 ")) === timeEpoch - (timeEpoch % 1000),
  sameId: requestId === context.awsRequestId && requestId.length > 0,
});
