import _ from "lodash";
export const handler = async () => _;
