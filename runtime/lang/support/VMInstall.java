import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/**
 * Fetches artifacts of a Maven repository with all that they need at run time
 * into a folder: VMInstall FOLDER GROUP:ARTIFACT:VERSION... Of two versions the
 * one counts that is nearest to what was asked for, as Maven has it; of a range
 * its lower end is taken.
 */
class VMInstall {
    static final Pattern PLACEHOLDER = Pattern.compile("\\$\\{([^}]+)\\}");
    static final int MOST_PARENTS = 32;

    final String repository;
    final Map<String, Model> models = new HashMap<>();

    VMInstall(String repository) {
        this.repository = repository.endsWith("/") ? repository : repository + "/";
    }

    public static void main(String[] args) throws Exception {
        VMInstall install = new VMInstall(System.getenv("VM_INDEX_MAVEN"));
        try {
            List<Artifact> asked = new ArrayList<>();
            for (int i = 1; i < args.length; i++) {
                String[] parts = args[i].split(":");
                asked.add(new Artifact(parts[0], parts[1], parts[2], Set.of()));
            }
            List<Artifact> needed = install.resolve(asked);
            Map<Path, byte[]> jars = new LinkedHashMap<>();
            for (Artifact a : needed) {
                if (!install.model(a, 0).packaging.equals("pom")) {
                    jars.put(Path.of(args[0], a.key().replace(':', '.') + ".jar"), install.fetch(a.path("jar")));
                }
            }
            for (Map.Entry<Path, byte[]> jar : jars.entrySet()) {
                Files.write(jar.getKey(), jar.getValue());
            }
            needed.forEach(a -> System.out.println("installed " + a));
        } catch (IOException e) {
            System.err.println("vm: " + e.getMessage());
            System.exit(1);
        }
    }

    /** What the asked artifacts need, themselves included, nearest first. */
    List<Artifact> resolve(List<Artifact> asked) throws Exception {
        Map<String, Artifact> chosen = new LinkedHashMap<>();
        ArrayDeque<Artifact> waiting = new ArrayDeque<>(asked);
        while (!waiting.isEmpty()) {
            Artifact a = waiting.poll();
            if (chosen.putIfAbsent(a.key(), a) == null) {
                for (Artifact needed : model(a, 0).dependencies()) {
                    if (!a.excludes(needed)) {
                        waiting.add(needed.under(a));
                    }
                }
            }
        }
        return new ArrayList<>(chosen.values());
    }

    Model model(Artifact a, int depth) throws Exception {
        Model known = models.get(a.toString());
        if (known != null) {
            return known;
        }
        if (depth > MOST_PARENTS) {
            throw new IOException(a + " has parents without end");
        }
        Model model = new Model(a, parse(fetch(a.path("pom"))), depth);
        models.put(a.toString(), model);
        return model;
    }

    static Element parse(byte[] xml) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory.newDocumentBuilder().parse(new ByteArrayInputStream(xml)).getDocumentElement();
    }

    /** A file of the repository, checked against its sum where there is one. */
    byte[] fetch(String path) throws Exception {
        byte[] data = get(path);
        if (data == null) {
            throw new IOException(repository + path + " is not there");
        }
        byte[] sum = get(path + ".sha1");
        if (sum != null) {
            StringBuilder actual = new StringBuilder();
            for (byte b : MessageDigest.getInstance("SHA-1").digest(data)) {
                actual.append(String.format("%02x", b));
            }
            if (!new String(sum, "US-ASCII").trim().toLowerCase().startsWith(actual.toString())) {
                throw new IOException(repository + path + " does not have the sum that the repository names");
            }
        }
        return data;
    }

    /** A file of the repository; null when it has none of that path. */
    byte[] get(String path) throws Exception {
        URL url = new URI(repository + path).toURL();
        if (url.getProtocol().equals("file")) {
            Path file = Path.of(url.toURI());
            return Files.exists(file) ? Files.readAllBytes(file) : null;
        }
        HttpURLConnection connection = (HttpURLConnection) url.openConnection(proxy(url.getProtocol()));
        try {
            int status = connection.getResponseCode();
            if (status == 404) {
                return null;
            }
            if (status != 200) {
                throw new IOException(url + ": " + status + " " + connection.getResponseMessage());
            }
            return connection.getInputStream().readAllBytes();
        } catch (IOException e) {
            throw new IOException(e.getMessage() != null && e.getMessage().contains("://") ? e.getMessage() : url + ": " + e.getMessage(), e);
        } finally {
            connection.disconnect();
        }
    }

    static Proxy proxy(String protocol) throws Exception {
        String address = System.getenv(protocol + "_proxy");
        if (address == null || address.isEmpty()) {
            return Proxy.NO_PROXY;
        }
        URI uri = new URI(address);
        return new Proxy(Proxy.Type.HTTP, new InetSocketAddress(uri.getHost(), uri.getPort() < 0 ? 80 : uri.getPort()));
    }

    /** An artifact that somebody needs, without some of what it needs itself. */
    static class Artifact {
        final String group, name, version;
        final Set<String> exclusions;

        Artifact(String group, String name, String version, Set<String> exclusions) throws IOException {
            this.group = group;
            this.name = name;
            this.version = version == null ? null : version.replaceAll("^[\\[(]|[,\\])].*$", "");
            this.exclusions = exclusions;
            for (String part : new String[] {group, name, this.version}) {
                if (part != null && (!part.matches("[A-Za-z0-9_.+-]+") || part.contains(".."))) {
                    throw new IOException("\"" + part + "\" cannot be part of an artifact");
                }
            }
        }

        String key() {
            return group + ":" + name;
        }

        @Override
        public String toString() {
            return key() + ":" + version;
        }

        String path(String extension) {
            return group.replace('.', '/') + "/" + name + "/" + version + "/" + name + "-" + version + "." + extension;
        }

        boolean excludes(Artifact other) {
            return exclusions.contains(other.key()) || exclusions.contains(other.group + ":*") || exclusions.contains("*:*");
        }

        /** This, with what the one that needs it excludes. */
        Artifact under(Artifact a) throws IOException {
            Set<String> all = new HashSet<>(exclusions);
            all.addAll(a.exclusions);
            return new Artifact(group, name, version, all);
        }
    }

    /** What a POM and its parents say. */
    class Model {
        final Element root;
        final Model parent;
        final Map<String, String> properties = new HashMap<>();
        final Map<String, Element> managed = new HashMap<>();
        final Map<Element, Model> origin = new HashMap<>(); // of what is managed by an imported model
        final String packaging;

        Model(Artifact a, Element root, int depth) throws Exception {
            this.root = root;
            Element above = child(root, "parent");
            parent = above == null ? null
                    : model(new Artifact(text(above, "groupId"), text(above, "artifactId"), text(above, "version"), Set.of()), depth + 1);
            if (parent != null) {
                properties.putAll(parent.properties);
                managed.putAll(parent.managed);
                origin.putAll(parent.origin);
                properties.put("project.parent.version", text(above, "version"));
            }
            for (Element property : children(child(root, "properties"))) {
                properties.put(property.getTagName(), property.getTextContent().trim());
            }
            for (String prefix : new String[] {"project.", "pom.", ""}) {
                properties.put(prefix + "groupId", a.group);
                properties.put(prefix + "artifactId", a.name);
                properties.put(prefix + "version", a.version);
            }
            String said = text(root, "packaging");
            packaging = said == null ? "jar" : said;
            manage(depth);
        }

        /** Takes in dependencyManagement, with the models that it imports. */
        void manage(int depth) throws Exception {
            Element management = child(root, "dependencyManagement");
            for (Element d : children(child(management, "dependencies"))) {
                if ("import".equals(value(d, "scope"))) {
                    Model imported = model(new Artifact(value(d, "groupId"), value(d, "artifactId"), value(d, "version"), Set.of()), depth + 1);
                    imported.managed.forEach((key, element) -> {
                        if (managed.putIfAbsent(key, element) == null) {
                            origin.put(element, imported.origin.getOrDefault(element, imported));
                        }
                    });
                } else {
                    managed.put(value(d, "groupId") + ":" + value(d, "artifactId"), d);
                }
            }
        }

        /** What the artifact needs at run time, its parents' part included. */
        List<Artifact> dependencies() throws Exception {
            List<Artifact> list = new ArrayList<>();
            for (Element d : declared()) {
                Element manager = managed.get(value(d, "groupId") + ":" + value(d, "artifactId"));
                String scope = either(d, manager, "scope");
                boolean runs = scope == null || scope.equals("compile") || scope.equals("runtime");
                String type = value(d, "type");
                if (!runs || "true".equals(either(d, manager, "optional")) || type != null && !type.equals("jar")) {
                    continue;
                }
                Set<String> exclusions = new HashSet<>();
                for (Element from : new Element[] {d, manager}) {
                    for (Element x : children(child(from, "exclusions"))) {
                        exclusions.add(value(x, "groupId") + ":" + value(x, "artifactId"));
                    }
                }
                String version = either(d, manager, "version");
                if (version == null) {
                    throw new IOException("no version is known of " + value(d, "groupId") + ":" + value(d, "artifactId"));
                }
                list.add(new Artifact(value(d, "groupId"), value(d, "artifactId"), version, exclusions));
            }
            return list;
        }

        List<Element> declared() {
            List<Element> list = children(child(root, "dependencies"));
            if (parent != null) {
                list.addAll(parent.declared());
            }
            return list;
        }

        String either(Element d, Element manager, String name) {
            String own = value(d, name);
            return own != null || manager == null ? own : origin.getOrDefault(manager, this).value(manager, name);
        }

        /** The text of a child with its placeholders filled in; null when there is none. */
        String value(Element e, String name) {
            String text = text(e, name);
            for (int round = 0; text != null && text.contains("${") && round < MOST_PARENTS; round++) {
                Matcher found = PLACEHOLDER.matcher(text);
                text = found.replaceAll(m -> Matcher.quoteReplacement(properties.getOrDefault(m.group(1), "")));
            }
            return text;
        }
    }

    static Element child(Element e, String name) {
        for (Element c : children(e)) {
            if (c.getTagName().equals(name)) {
                return c;
            }
        }
        return null;
    }

    static List<Element> children(Element e) {
        List<Element> list = new ArrayList<>();
        for (Node n = e == null ? null : e.getFirstChild(); n != null; n = n.getNextSibling()) {
            if (n instanceof Element) {
                list.add((Element) n);
            }
        }
        return list;
    }

    static String text(Element e, String name) {
        Element c = child(e, name);
        return c == null ? null : c.getTextContent().trim();
    }
}
