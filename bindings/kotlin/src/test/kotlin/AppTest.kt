import com.google.gson.JsonObject
import com.google.gson.JsonParser
import java.io.File
import java.io.IOException
import java.net.URI
import java.net.URLDecoder
import java.net.URLEncoder
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.security.KeyStore
import java.security.Signature
import java.security.cert.CertificateFactory
import java.security.cert.X509Certificate
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo
import org.bouncycastle.cert.X509CertificateHolder
import org.bouncycastle.jce.provider.BouncyCastleProvider
import org.bouncycastle.openssl.PEMParser
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import uniffi.healthid_wallet.Answer
import uniffi.healthid_wallet.Compared
import uniffi.healthid_wallet.End
import uniffi.healthid_wallet.Login
import uniffi.healthid_wallet.MoveEnd
import uniffi.healthid_wallet.Told
import uniffi.healthid_wallet.Transport
import uniffi.healthid_wallet.Unlock
import uniffi.healthid_wallet.WalletException

/** A policyholder enrols and logs in with an app in Kotlin, at a real sandbox over real TLS. */
class AppTest {
    private val directory = File(System.getProperty("sandbox"))
    private val sandbox = JsonParser.parseString(File(directory, "sandbox.json").readText()).asJsonObject
    private val insurer = entry("insurers", "leuchtturm").get("issuer").asString
    private val pages = entry("services", "record").get("pages").asString
    private val tls = trusting(File(sandbox.get("ca").asString))
    private val app = App(insurer, Net(tls), card(File(System.getProperty("card"))))

    private fun entry(list: String, word: String): JsonObject =
        sandbox.getAsJsonArray(list).map { it.asJsonObject }.first { it.get("word").asString == word }

    private fun logIn(): String {
        val browser = Browser(pages, tls)
        return browser.open(app.logIn(browser.beginLogin(insurer)))
    }

    @Test
    fun `a person enrols with her card and logs in with her phone`() {
        app.enrol("Handy (Kotlin)", "software")
        for (login in 1UL..2UL) {
            assertTrue(logIn().contains("Lena"))
            assertEquals(login, app.keys.record?.counter)
        }
    }

    @Test
    fun `a person logs in with her card and the service knows her`() {
        assertTrue(logIn().contains("Lena"))
        assertTrue(app.holder.consents.single().essential.contains("urn:telematik:claims:id"))
    }

    @Test
    fun `a phone with another key is refused with a support code`() {
        app.enrol("Handy (Kotlin)", "software")
        app.keys.makeKey(ByteArray(32))
        app.keys.keep(checkNotNull(app.keys.record))
        val refused = assertThrows<WalletException.Again> { logIn() }
        assertEquals(403.toUShort(), refused.status)
        assertEquals("device-unknown", refused.reason)
        assertTrue(refused.supportCode!!.matches(Regex("[A-Z]{4}-[A-Z]{4}")), refused.supportCode)
    }

    @Test
    fun `a network that is gone stops a login and running again goes on`() {
        var gone = false
        val net = Net(tls)
        val unreliable = object : Transport {
            override fun send(method: String, url: String, body: String?): Answer =
                if (gone) throw IOException("no network") else net.send(method, url, body)
        }
        val app = App(insurer, unreliable, card(File(System.getProperty("card"))))
        app.enrol("Handy (Kotlin)", "software")
        val browser = Browser(pages, tls)
        app.wallet.approve(browser.beginLogin(insurer)).use { approval ->
            gone = true
            assertThrows<WalletException.Unreachable> { approval.run() }
            gone = false
            assertTrue(browser.open((approval.run() as End.GoBack).address).contains("Lena"))
        }
        assertEquals(1UL, app.keys.record?.counter)
    }

    @Test
    fun `a login comes to the phone by a code and then by a button`() {
        app.enrol("Handy (Kotlin)", "software")
        // Only the key can ask the first time; then its ticket does.
        assertThrows<WalletException.Locked> { app.waiting() }
        assertEquals(0, app.wallet.requests(Unlock.IF_NEEDED).size)
        val browser = Browser(pages, tls)
        val first = browser.waitForPhone(insurer)
        app.holder.number = first.number()
        val (clientId, login) = first.scanned()
        assertEquals(End.Done, app.answer(clientId, login))
        assertTrue(first.post("return", "keep_phone" to "yes").contains("Lena"))

        val second = browser.waitForPhone(insurer)
        second.post("phone/send")
        val request = app.waiting().single()
        app.holder.number = second.number()
        assertEquals(End.Done, app.answer(request.clientId, request.login))
        assertEquals(request.service, app.holder.consents.last().service)
        assertTrue(second.post("return").contains("Lena"))
        assertEquals(0, app.waiting().size)
    }

    @Test
    fun `a new phone is bound with the old one and logs in`() {
        app.enrol("Altes Handy (Kotlin)", "software")
        val new = App(insurer, Net(tls), card(File(System.getProperty("card"))))
        val (old, there) = OldScreen() to NewScreen()
        val out = CompletableFuture.supplyAsync { app.wallet.moveOut(old).use { it.run() } }
        val offer = checkNotNull(old.offers.poll(20, TimeUnit.SECONDS)).offer
        val into = CompletableFuture.supplyAsync { new.wallet.moveIn(offer, "Neues Handy", "software", true, null, there).use { it.run() } }
        assertEquals("Neues Handy", old.asked.poll(20, TimeUnit.SECONDS)?.name)
        old.typed.put(Compared.Number(checkNotNull(there.numbers.poll(20, TimeUnit.SECONDS))))
        assertEquals("Neues Handy", (out.get(20, TimeUnit.SECONDS) as MoveEnd.Moved).name)
        assertEquals(into.get(20, TimeUnit.SECONDS).record, new.keys.record)
        val browser = Browser(pages, tls)
        assertTrue(browser.open(new.logIn(browser.beginLogin(insurer))).contains("Lena"))
        assertEquals(1UL, new.keys.record?.counter)
    }

    @Test
    fun `what was not wanted is an error and changes nothing`() {
        Login.account(insurer).use { login ->
            val wanted = login.want()
            for (told in listOf(Told.WithCard, Told.Signed(""), Told.Decline)) {
                assertThrows<WalletException.Again> { login.tell(told, 0UL) }
                assertEquals(wanted, login.want())
            }
        }
        assertThrows<WalletException.Over> { Login.open(insurer, "https://example.org/") }
    }
}

/** The service's half: a person's browser at the demo service. */
private class Browser(private val pages: String, tls: SSLContext) {
    private val client = HttpClient.newBuilder().sslContext(tls).build()
    private val cookies = mutableMapOf<String, String>()

    private fun send(request: HttpRequest.Builder): HttpResponse<String> {
        if (cookies.isNotEmpty()) request.header("Cookie", cookies.map { "${it.key}=${it.value}" }.joinToString("; "))
        val answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString())
        for (cookie in answer.headers().allValues("Set-Cookie")) {
            val (name, value) = cookie.substringBefore(';').split('=', limit = 2)
            cookies[name] = value
        }
        return answer
    }

    /** The address at the insurer the service sends the person to. */
    fun beginLogin(issuer: String): String {
        val form = "idp=" + URLEncoder.encode(issuer, Charsets.UTF_8)
        val answer = send(
            HttpRequest.newBuilder(URI("$pages/login")).header("Origin", pages)
                .header("Content-Type", "application/x-www-form-urlencoded").POST(HttpRequest.BodyPublishers.ofString(form)),
        )
        assertEquals(303, answer.statusCode(), answer.body())
        return answer.headers().firstValue("Location").get()
    }

    /** The page at the end of a few redirects. */
    fun open(address: String): String = follow(HttpRequest.newBuilder(URI(address)), URI(address))

    private fun follow(first: HttpRequest.Builder, from: URI): String {
        var answer = send(first)
        var at = from
        repeat(5) {
            val location = answer.headers().firstValue("Location")
            if (location.isEmpty) return answer.body()
            at = at.resolve(location.get())
            answer = send(HttpRequest.newBuilder(at))
        }
        error("too many redirects")
    }

    /** What a form of a page sends. */
    fun post(address: URI, form: Map<String, String>): String {
        val body = form.map { "${it.key}=${URLEncoder.encode(it.value, Charsets.UTF_8)}" }.joinToString("&")
        val request = HttpRequest.newBuilder(address).header("Origin", "${address.scheme}://${address.authority}")
            .header("Content-Type", "application/x-www-form-urlencoded").POST(HttpRequest.BodyPublishers.ofString(body))
        return follow(request, address)
    }

    /** A login in which nobody is logged in any more, up to the page that waits for a phone. */
    fun waitForPhone(issuer: String): Page {
        cookies.keys.retainAll(setOf("healthid_phone"))
        return Page(this, attribute(open(beginLogin(issuer)), "<iframe", "src"))
    }
}

/** The frame that waits for a phone. */
private class Page(private val browser: Browser, private val frame: String) {
    fun number(): String = checkNotNull(Regex("class=\"number\".*?<strong>([0-9]{2})<", RegexOption.DOT_MATCHES_ALL).find(browser.open(frame))).groupValues[1]

    /** What a phone reads in the code: service and login. */
    fun scanned(): Pair<String, String> {
        val names = query(attribute(browser.open(frame), "class=\"code\"", "href"))
        return names.getValue("client_id") to names.getValue("login")
    }

    fun post(path: String, vararg more: Pair<String, String>): String =
        browser.post(URI(frame.substringBefore("/auth/") + "/auth/" + path), query(frame).filterKeys { it in setOf("client_id", "login") } + more)
}

private fun query(address: String): Map<String, String> =
    URI(address).rawQuery.split('&').associate { it.substringBefore('=') to URLDecoder.decode(it.substringAfter('='), Charsets.UTF_8) }

private fun attribute(page: String, mark: String, name: String): String =
    checkNotNull(Regex("$mark.*?$name=\"([^\"]*)\"", RegexOption.DOT_MATCHES_ALL).find(page)).groupValues[1].replace("&#38;", "&").replace("&amp;", "&")

private fun trusting(authorities: File): SSLContext {
    val store = KeyStore.getInstance(KeyStore.getDefaultType())
    store.load(null)
    val certificates = authorities.inputStream().use { CertificateFactory.getInstance("X.509").generateCertificates(it) }
    certificates.forEachIndexed { index, certificate -> store.setCertificateEntry("authority-$index", certificate as X509Certificate) }
    val trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm())
    trust.init(store)
    return SSLContext.getInstance("TLS").apply { init(null, trust.trustManagers, null) }
}

private fun card(pem: File): Card {
    val provider = BouncyCastleProvider()
    pem.reader().use { reader ->
        val parser = PEMParser(reader)
        val key = JcaPEMKeyConverter().setProvider(provider).getPrivateKey(parser.readObject() as PrivateKeyInfo)
        val certificate = (parser.readObject() as X509CertificateHolder).encoded
        return Card(certificate) { message ->
            val signature = Signature.getInstance("SHA256withPLAIN-ECDSA", provider)
            signature.initSign(key)
            signature.update(message)
            signature.sign()
        }
    }
}
