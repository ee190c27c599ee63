let rang = false;
const alarm = new Promise((done) => setTimeout(() => { rang = true; done("rang"); }, 30));

export const handler = async () => ({ alarm: await alarm, rang });
