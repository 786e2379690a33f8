// A page that says which version serves, and one that says that it does.
import { createServer } from "node:http";

const version = process.env.KAMAL_VERSION ?? "here";
const pages = { "/": `Hello from Node ${version}\n`, "/up": "ok\n" };

const server = createServer((request, response) => {
  const text = pages[new URL(request.url, "http://localhost").pathname];
  response.writeHead(text ? 200 : 404, { "Content-Type": "text/plain" });
  response.end(text ?? "There is no such page\n");
});

server.listen(3000);

// Docker says TERM before it stops a container: finish what was asked, then go.
process.on("SIGTERM", () => server.close(() => process.exit(0)));
