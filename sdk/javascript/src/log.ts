// Lines for the plugin's author. The host bounds them and keeps them with the decision.
import { log } from "assize:plugin/log@1.0.0";

export const debug = (message: string): void => log("debug", message);
export const info = (message: string): void => log("info", message);
export const warn = (message: string): void => log("warn", message);
export const error = (message: string): void => log("error", message);
