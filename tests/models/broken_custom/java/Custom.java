import io.polyhost.Hooks;

public class Custom implements Hooks { this is no Java
