package example.greeting;

/** Says what the class of another artifact says. */
public class Greeting {
    public static String text() {
        return example.words.Words.TEXT.toString();
    }
}
