interface Cause {
  text: string;
}
const cause: Cause = { text: "boom" };
console.log("before");
throw new Error(cause.text);
