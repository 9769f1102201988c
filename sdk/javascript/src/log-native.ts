// Stands for the host's log where there is no host: in tests.
export function log(level: string, message: string): void {
  console.log(`${level}: ${message}`);
}
