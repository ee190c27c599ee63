// What is imported in other ways than by name.
import { once } from "node:events";
import * as stream from "node:stream";
import { finished } from "node:stream/promises";

export const { pipeline } = stream;
export type PipelineCallback = (error?: Error | null) => void;
export { finished, once };
