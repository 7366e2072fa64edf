function inner(o) {
  return o.missing.value; // HERE
}
function outer() {
  return inner({}); // FRAME
}
outer(); // FRAME
