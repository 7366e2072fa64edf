// The kernel of Java sessions: evaluates what the guest asks for, one after the
// other, with the shell of the JDK, in this process. The messages are described
// in the guest's fields.go.

import java.io.*;
import java.lang.reflect.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import jdk.jshell.*;
import jdk.jshell.Snippet.SubKind;
import jdk.jshell.SourceCodeAnalysis.CompletionInfo;

public class VMSession {
    static final int MOST_VALUE = 64 << 10;
    static final int INTERRUPTED = 130;
    static final int STOP_EVERY = 20; // ms

    static final List<String> IMPORTS = List.of(
        "java.io.*", "java.math.*", "java.net.*", "java.nio.file.*", "java.time.*", "java.util.*",
        "java.util.concurrent.*", "java.util.function.*", "java.util.regex.*", "java.util.stream.*");

    final InputStream requests = new BufferedInputStream(new FileInputStream(FileDescriptor.in));
    final OutputStream replies = new FileOutputStream(FileDescriptor.out);
    final Input in = new Input();
    final Output out = new Output();
    final Output err = new Output();
    final JShell shell;

    // Where a snippet stands: in which file, and how many lines are before it.
    record Place(String file, int before) {}

    final Map<String, Place> places = new HashMap<>();

    volatile boolean running;
    volatile boolean interrupted;

    public static void main(String[] args) throws Exception {
        new VMSession().serve();
    }

    VMSession() {
        // Programs and the session write without waiting for a line's end.
        System.setIn(in);
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        shell = JShell.builder().executionEngine("local").compilerOptions("-Xlint:none").build();
        shell.addToClasspath(".");
        for (String name : IMPORTS) {
            shell.eval("import " + name + ";");
        }
        sun.misc.Signal.handle(new sun.misc.Signal("INT"), signal -> interrupt());
    }

    // An interrupt stops what runs. Code that is still being compiled cannot be
    // stopped: it is tried until it runs.
    void interrupt() {
        if (!running) {
            return;
        }
        interrupted = true;
        in.interrupt();
        Thread stopper = new Thread(() -> {
            while (running && interrupted) {
                shell.stop();
                try {
                    Thread.sleep(STOP_EVERY);
                } catch (InterruptedException e) {
                    return;
                }
            }
        });
        stopper.setDaemon(true);
        stopper.start();
    }

    void serve() throws IOException {
        reply("ready");
        for (List<String> request = read(); request != null; request = read()) {
            answer(request);
        }
    }

    List<String> read() throws IOException {
        String count = field();
        if (count == null) {
            return null;
        }
        List<String> fields = new ArrayList<>();
        for (int i = Integer.parseInt(count); i > 0; i--) {
            fields.add(field());
        }
        return fields;
    }

    String field() throws IOException {
        ByteArrayOutputStream field = new ByteArrayOutputStream();
        for (int b = requests.read(); b != 0; b = requests.read()) {
            if (b < 0) {
                return null;
            }
            field.write(b);
        }
        return field.toString(StandardCharsets.UTF_8);
    }

    void reply(String... fields) throws IOException {
        StringBuilder message = new StringBuilder().append(fields.length).append('\0');
        for (String field : fields) {
            message.append(field.replace("\0", "")).append('\0');
        }
        replies.write(message.toString().getBytes(StandardCharsets.UTF_8));
    }

    String value;

    void answer(List<String> request) throws IOException {
        Path folder = Path.of(request.get(0));
        in.open(new FileInputStream(folder.resolve("stdin").toFile()));
        out.open(new FileOutputStream(folder.resolve("stdout").toFile()));
        err.open(new FileOutputStream(folder.resolve("stderr").toFile()));
        reply("begun");
        int count = Integer.parseInt(request.get(3));
        List<String> args = request.subList(4, 4 + count);
        value = "";
        interrupted = false;
        running = true;
        int code;
        try {
            prepare(request.get(2), args, request.subList(4 + count, request.size()));
            code = execute(request.get(1));
        } catch (Exception e) {
            System.err.println("vm: " + e);
            code = 1;
        }
        running = false;
        if (interrupted) {
            System.err.println("interrupted");
            code = INTERRUPTED;
        }
        System.out.flush();
        System.err.flush();
        in.close();
        out.close();
        err.close();
        reply("done", String.valueOf(code), code == 0 ? value : "");
    }

    void prepare(String directory, List<String> args, List<String> env) throws IOException {
        Path here = Path.of("").toAbsolutePath();
        if (!directory.isEmpty() && !here.equals(Path.of(directory))) {
            throw new IOException("a Java session stays in the folder that it was started in, " + here);
        }
        for (String pair : env) {
            int at = pair.indexOf('=');
            setVariable(pair.substring(0, at), pair.substring(at + 1));
        }
        seePackages();
        if (!args.equals(known)) {
            StringJoiner list = new StringJoiner(", ", "String[] args = {", "};");
            args.forEach(arg -> list.add(literal(arg)));
            shell.eval(list.toString());
            known = List.copyOf(args);
        }
    }

    // What was installed since the last execution is on the class path, too.
    void seePackages() throws IOException {
        Path folder = Path.of("/tmp/vm-jars");
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(folder, "*.jar")) {
            for (Path jar : jars) {
                if (packages.add(jar)) {
                    shell.addToClasspath(jar.toString());
                }
            }
        }
    }

    final Set<Path> packages = new HashSet<>(); // those that are on the class path

    static String literal(String text) {
        StringBuilder literal = new StringBuilder("\"");
        text.chars().forEach(c -> literal.append(String.format(c < 128 ? "\\%03o" : "\\u%04x", c)));
        return literal.append('"').toString();
    }

    List<String> known; // the arguments that the variable args has

    // Java has no way to set a variable of its own environment: this is the map
    // behind System.getenv.
    @SuppressWarnings("unchecked")
    static void setVariable(String key, String value) throws IOException {
        try {
            Field map = System.getenv().getClass().getDeclaredField("m");
            map.setAccessible(true);
            ((Map<String, String>) map.get(System.getenv())).put(key, value);
        } catch (ReflectiveOperationException e) {
            throw new IOException("set " + key + ": " + e);
        }
    }

    int execute(String file) throws IOException {
        String code = Files.readString(Path.of(file));
        String rest = code;
        while (!rest.isBlank()) {
            CompletionInfo info = shell.sourceCodeAnalysis().analyzeCompletion(rest);
            String source = info.source() == null ? rest : info.source();
            int from = code.length() - rest.length() + source.length() - source.stripLeading().length();
            int before = lines(code.substring(0, from));
            source = source.stripLeading();
            rest = info.source() == null ? "" : info.remaining();
            if (!source.isBlank() && !evaluate(source, new Place(file, before), rest.isBlank())) {
                return 1;
            }
        }
        return 0;
    }

    static int lines(String text) {
        return (int) text.chars().filter(c -> c == '\n').count();
    }

    boolean evaluate(String source, Place place, boolean last) {
        for (SnippetEvent event : shell.eval(source)) {
            if (interrupted) {
                return false;
            }
            if (event.causeSnippet() != null) {
                continue; // what follows from another snippet
            }
            Snippet snippet = event.snippet();
            places.put(snippet.id(), place);
            if (event.status() == Snippet.Status.REJECTED) {
                shell.diagnostics(snippet).forEach(d -> complain(d, source, place));
                return false;
            }
            if (event.exception() != null) {
                show(event.exception());
                return false;
            }
            if (last && shows(snippet)) {
                value = shorten(event.value());
            }
        }
        return true;
    }

    static boolean shows(Snippet snippet) {
        return snippet.subKind() == SubKind.TEMP_VAR_EXPRESSION_SUBKIND
            || snippet.subKind() == SubKind.VAR_VALUE_SUBKIND
            || snippet.subKind() == SubKind.OTHER_EXPRESSION_SUBKIND;
    }

    static String shorten(String value) {
        if (value == null || value.equals("null")) {
            return "";
        }
        return value.length() > MOST_VALUE ? value.substring(0, MOST_VALUE) + "…" : value;
    }

    // Says what a compiler would.
    static void complain(Diag diagnostic, String source, Place place) {
        int at = (int) Math.max(0, Math.min(diagnostic.getPosition(), source.length()));
        String text = source.substring(0, at);
        int column = at - (text.lastIndexOf('\n') + 1);
        System.err.printf("%s:%d: %s: %s%n", place.file, place.before + lines(text) + 1,
            diagnostic.isError() ? "error" : "warning", diagnostic.getMessage(null).trim());
        System.err.println(source.lines().skip(lines(text)).findFirst().orElse(""));
        System.err.println(" ".repeat(column) + "^");
    }

    // Prints an exception as Java does, without frames that are not the code's.
    void show(JShellException exception) {
        String prefix = "Exception in thread \"main\" ";
        for (Throwable e = exception; e != null; e = e.getCause()) {
            String message = e.getMessage() == null ? "" : ": " + e.getMessage();
            String name = e instanceof EvalException thrown ? thrown.getExceptionClassName() : e.getClass().getName();
            if (e instanceof UnresolvedReferenceException unresolved) {
                name = "something that " + unresolved.getSnippet().name() + " needs is not declared";
            }
            System.err.println(prefix + name + message);
            for (StackTraceElement frame : e.getStackTrace()) {
                System.err.println("\tat " + describe(frame));
            }
            prefix = "Caused by: ";
        }
    }

    String describe(StackTraceElement frame) {
        String file = frame.getFileName();
        Place place = file != null && file.startsWith("#") ? places.get(file.substring(1)) : null;
        if (place == null) {
            return frame.toString();
        }
        String where = place.file.substring(place.file.lastIndexOf('/') + 1) + ":" + (place.before + frame.getLineNumber());
        return frame.getMethodName().isEmpty() || frame.getMethodName().equals("do_it$") ? where : frame.getMethodName() + "(" + where + ")";
    }

    // The standard streams of the execution that runs. Whoever keeps one of them
    // has that of the next execution too.

    static class Output extends OutputStream {
        private OutputStream to = OutputStream.nullOutputStream();

        synchronized void open(OutputStream stream) {
            to = stream;
        }

        @Override
        public synchronized void write(int b) throws IOException {
            to.write(b);
        }

        @Override
        public synchronized void write(byte[] bytes, int from, int count) throws IOException {
            to.write(bytes, from, count);
        }

        @Override
        public synchronized void close() throws IOException {
            to.close();
            to = OutputStream.nullOutputStream();
        }
    }

    // A read waits here, and not in the kernel, where nothing can interrupt it.
    static class Input extends InputStream {
        private PipedInputStream from = new PipedInputStream();
        private volatile PipedOutputStream end = new PipedOutputStream();

        void open(InputStream stream) throws IOException {
            PipedInputStream pipe = new PipedInputStream(64 << 10);
            PipedOutputStream filled = new PipedOutputStream(pipe);
            Thread pump = new Thread(() -> {
                try (stream; filled) {
                    byte[] buffer = new byte[8 << 10];
                    for (int n = stream.read(buffer); n >= 0; n = stream.read(buffer)) {
                        filled.write(buffer, 0, n);
                        filled.flush();
                    }
                } catch (IOException e) {
                    // nobody reads it any more
                }
            });
            pump.setDaemon(true);
            pump.start();
            from = pipe;
            end = filled;
        }

        // Whoever waits for input is told that there is no more.
        void interrupt() {
            try {
                end.close();
            } catch (IOException e) {
                // it is closed already
            }
        }

        @Override
        public int read() throws IOException {
            return from.read();
        }

        @Override
        public int read(byte[] bytes, int at, int count) throws IOException {
            return from.read(bytes, at, count);
        }

        @Override
        public int available() throws IOException {
            return from.available();
        }

        @Override
        public void close() throws IOException {
            from.close();
        }
    }
}
