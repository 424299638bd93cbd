/** One action on many rows, one after the other, so that the shop's own limits hold and it can be stopped. */
export type Progress = { done: number; failed: number; total: number };
export type Report = Progress & { firstError: unknown; stopped: boolean; failedKeys: string[] };

/** Goes on after a failure; `stop` is asked before each row. */
export async function runEach(
  keys: readonly string[],
  each: (key: string) => Promise<unknown>,
  stop: () => boolean,
  told: (progress: Progress) => void,
): Promise<Report> {
  const report: Report = {
    done: 0,
    failed: 0,
    total: keys.length,
    firstError: undefined,
    stopped: false,
    failedKeys: [],
  };
  for (const key of keys) {
    if (stop()) {
      report.stopped = true;
      break;
    }
    try {
      await each(key);
      report.done += 1;
    } catch (error) {
      report.failed += 1;
      report.failedKeys.push(key);
      report.firstError ??= error;
    }
    told({ done: report.done, failed: report.failed, total: report.total });
  }
  return report;
}
