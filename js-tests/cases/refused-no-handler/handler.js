export const handle = async () => "misspelt";
