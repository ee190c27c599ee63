// The event itself, whole, as format 2.0 has it.
export const handler = async (event) => event;
