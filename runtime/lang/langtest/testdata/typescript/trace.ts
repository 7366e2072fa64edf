interface Box { value?: { deep: number } }

function inner(b: Box): number {
  return b.value!.deep; // HERE
}
function outer(): number {
  return inner({}); // FRAME
}
console.log(outer()); // FRAME
