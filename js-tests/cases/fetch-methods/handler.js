export function GET(request) {
  return new Response(`read ${new URL(request.url).pathname}`);
}
export const POST = async (request) => Response.json(await request.json(), { status: 201 });
