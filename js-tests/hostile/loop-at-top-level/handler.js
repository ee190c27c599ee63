for (;;) {}
export const handler = async () => "never";
