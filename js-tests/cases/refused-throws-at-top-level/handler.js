const config = undefined;
const name = config.name;
export const handler = async () => name;
