// Nothing returned is answered as JSON's nothing.
export const handler = async (event) => (event.rawPath === "/null" ? null : undefined);
