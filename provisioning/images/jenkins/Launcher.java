import java.io.File;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.Arrays;
import java.util.jar.JarFile;

/** Runs a war of 2011 on a Java of today: first it says what that war wants to hear, then it calls its main. */
public final class Launcher {
    public static void main(String[] args) throws Exception {
        System.setProperty("java.vm.vendor", "Sun Microsystems Inc.");
        System.setProperty("java.vendor", "Sun Microsystems Inc.");
        System.setProperty("java.version", "1.8.0_392");
        System.setProperty("java.specification.version", "1.8");
        File war = new File(args[0]);
        String main;
        try (JarFile jar = new JarFile(war)) {
            main = jar.getManifest().getMainAttributes().getValue("Main-Class");
        }
        URLClassLoader loader = new URLClassLoader(new URL[] {war.toURI().toURL()});
        Thread.currentThread().setContextClassLoader(loader);
        String[] rest = Arrays.copyOfRange(args, 1, args.length);
        loader.loadClass(main).getMethod("main", String[].class).invoke(null, (Object) rest);
    }
}
