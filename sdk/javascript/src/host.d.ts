declare module "assize:plugin/log@1.0.0" {
  export function log(level: "debug" | "info" | "warn" | "error", message: string): void;
}
