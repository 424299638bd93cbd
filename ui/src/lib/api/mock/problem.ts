/** How the sample shop refuses. */
export class MockProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail = '',
  ) {
    super(detail);
  }
}
