const values = { "/three": 3, "/pi": 3.1, "/yes": true, "/no": false, "/zero": 0 };
export const handler = async (event) => values[event.rawPath];
