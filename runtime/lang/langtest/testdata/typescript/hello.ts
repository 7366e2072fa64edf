enum Planet {
  Earth = "world",
}
const greeting: string = `Hello, ${Planet.Earth}!`;
console.log(greeting);
