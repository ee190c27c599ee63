export const handler = async () => ({ statusCode: "418", body: "short and stout" });
