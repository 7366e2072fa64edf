package example.words;

/** What there is to say. */
public class Words {
    public static final StringBuilder TEXT = new StringBuilder("Hello from the index");
}
