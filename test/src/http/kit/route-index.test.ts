import { expect } from 'chai';
import { createRouteIndex, type Route } from '../../../../src/http/kit/route-index.ts';

const route = (method: string, path: string): Route<string> => ({
  method,
  path,
  owner: `${method} ${path}`,
  value: `${method} ${path}`,
});

describe('route index', () => {
  it('finds the route of a method and a path, with its parameters as they are written', () => {
    const index = createRouteIndex([
      route('GET', '/rooms/{roomId}/state'),
      route('PUT', '/rooms/{roomId}/send/{type}/{txnId}'),
    ]);
    expect(index.find('PUT', '/rooms/%21a%2Fb/send/m.x/1+2')).to.deep.equal({
      kind: 'found',
      value: 'PUT /rooms/{roomId}/send/{type}/{txnId}',
      params: { roomId: '%21a%2Fb', type: 'm.x', txnId: '1+2' },
    });
  });

  it('prefers fixed text to a parameter, from the left, in whatever order the routes come', () => {
    const routes = [route('GET', '/a/{x}/{y}'), route('GET', '/a/{x}/c'), route('GET', '/a/b/{y}')];
    for (const order of [routes, routes.toReversed()]) {
      const index = createRouteIndex(order);
      expect(index.find('GET', '/a/b/c')).to.include({ value: 'GET /a/b/{y}' });
      expect(index.find('GET', '/a/z/c')).to.include({ value: 'GET /a/{x}/c' });
      expect(index.find('GET', '/a/z/z')).to.include({ value: 'GET /a/{x}/{y}' });
    }
  });

  it('falls back to a less specific path when the more specific one does not know the method', () => {
    const index = createRouteIndex([route('GET', '/a/b'), route('PUT', '/a/{x}')]);
    expect(index.find('PUT', '/a/b')).to.include({ kind: 'found', value: 'PUT /a/{x}' });
  });

  it('tells a wrong method from an unknown path and knows which methods there are', () => {
    const index = createRouteIndex([route('GET', '/a/{x}'), route('PUT', '/a/{x}'), route('POST', '/a/b')]);
    expect(index.find('DELETE', '/a/b')).to.deep.equal({
      kind: 'wrong-method',
      allowed: ['GET', 'HEAD', 'POST', 'PUT'],
    });
    expect(index.find('GET', '/a')).to.deep.equal({ kind: 'unknown' });
    expect(index.find('GET', '/a/b/c')).to.deep.equal({ kind: 'unknown' });
    expect(index.find('GET', '')).to.deep.equal({ kind: 'unknown' });
    expect(index.find('GET', '/A/b')).to.deep.equal({ kind: 'unknown' });
  });

  it('never takes an empty segment for a parameter, nor a slash too many', () => {
    const index = createRouteIndex([route('GET', '/a/{x}'), route('GET', '/a/{x}/b')]);
    for (const path of ['/a/', '/a//b', '/a/x/', '/a/x/b/', '//a/x'])
      expect(index.find('GET', path), path).to.deep.equal({ kind: 'unknown' });
  });

  it('lets an optional last parameter be absent, with and without its slash', () => {
    const index = createRouteIndex([route('GET', '/state/{type}/{stateKey?}')]);
    for (const [path, stateKey] of [
      ['/state/m.x', ''],
      ['/state/m.x/', ''],
      ['/state/m.x/key', 'key'],
    ] as const)
      expect(index.find('GET', path), path).to.deep.include({ params: { type: 'm.x', stateKey } });
  });

  it('answers HEAD where it answers GET', () => {
    expect(createRouteIndex([route('GET', '/a')]).find('HEAD', '/a')).to.include({ kind: 'found' });
  });

  it('takes characters of fixed text literally', () => {
    const index = createRouteIndex([route('GET', '/a/m.login.x+y')]);
    expect(index.find('GET', '/a/m.login.x+y').kind).to.equal('found');
    expect(index.find('GET', '/a/mxlogin.x+y').kind).to.equal('unknown');
  });

  it('refuses two routes with the same method and path, whatever their parameters are called', () => {
    expect(() => createRouteIndex([route('GET', '/a/{x}'), route('GET', '/a/{y}')])).to.throw(
      'GET /a/{y} of GET /a/{y} is taken by GET /a/{x}',
    );
    expect(() => createRouteIndex([route('GET', '/a/{x?}'), route('GET', '/a')])).to.throw('is taken by');
    expect(() => createRouteIndex([route('GET', '/a/{x}'), route('PUT', '/a/{y}')])).not.to.throw();
  });

  it('refuses a path that cannot be read', () => {
    for (const [path, why] of [
      ['a/b', 'does not begin with a slash'],
      ['/a/{x}/{x}', 'names a parameter twice'],
      ['/a/{x?}/b', 'only the last parameter may be optional'],
      ['/a/b{x}', 'neither text nor {parameter}'],
      ['/a/%20', 'neither text nor {parameter}'],
    ] as const)
      expect(() => createRouteIndex([route('GET', path)]), path).to.throw(why);
  });
});
