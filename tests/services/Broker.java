import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.artemis.core.config.FileDeploymentManager;
import org.apache.activemq.artemis.core.config.impl.FileConfiguration;
import org.apache.activemq.artemis.core.config.impl.SecurityConfiguration;
import org.apache.activemq.artemis.core.server.impl.ActiveMQServerImpl;
import org.apache.activemq.artemis.spi.core.security.ActiveMQJAASSecurityManager;
import org.apache.activemq.artemis.spi.core.security.jaas.InVMLoginModule;

/** Apache Artemis without its distribution. Arguments: file:(broker.xml) user:password:role … */
public class Broker {
  public static void main(String[] arguments) throws Exception {
    FileConfiguration configuration = new FileConfiguration();
    FileDeploymentManager files = new FileDeploymentManager(arguments[0]);
    files.addDeployable(configuration);
    files.readConfiguration();
    SecurityConfiguration users = new SecurityConfiguration();
    for (int index = 1; index < arguments.length; index++) {
      String[] user = arguments[index].split(":");
      users.addUser(user[0], user[1]);
      users.addRole(user[0], user[2]);
    }
    ActiveMQServerImpl server = new ActiveMQServerImpl(configuration, ManagementFactory.getPlatformMBeanServer(),
        new ActiveMQJAASSecurityManager(InVMLoginModule.class.getName(), users));
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        server.stop();
      } catch (Exception error) {
        error.printStackTrace();
      }
    }));
    server.start();
    if (!server.waitForActivation(30, TimeUnit.SECONDS)) {
      System.exit(3);
    }
    System.out.println("READY");
  }
}
