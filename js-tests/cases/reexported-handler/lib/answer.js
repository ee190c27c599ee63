export const answer = async () => "from the library";
