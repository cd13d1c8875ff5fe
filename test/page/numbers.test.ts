import { expect, it } from "vitest";
import { onAxis } from "../../page/numbers.ts";

it.each([
  [
    [0, 0.5, 1],
    ["0", "0.5", "1"],
  ],
  [
    [-20.95, -20.9, -20.85], // three digits would say -20.9 thrice
    ["−20.95", "−20.9", "−20.85"],
  ],
  [
    [1.7804, 1.7808, 1.7812],
    ["1.7804", "1.7808", "1.7812"],
  ],
  [
    [0, 2.5e-4, 5e-4],
    ["0", "2.5e−4", "5.0e−4"],
  ],
])("the labels of an axis at %j are told apart", (values, labels) => {
  expect(onAxis(values)).toEqual(labels);
});
